export { outcomeSearch as scanSearch } from '../outcomes/search';
